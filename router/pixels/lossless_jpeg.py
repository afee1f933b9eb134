"""One frame as lossless JPEG, process 14 selection value 1 (PS3.5 A.4.2), by GDCM. It checks nothing of the result."""

from router.pixels.image import Image

_MOST_BITS = 16


def encode_frame(frame: bytes, image: Image) -> bytes:
    """The frame's bytes compressed. ImportError without GDCM, ValueError where it does not take pixels of this kind."""
    import gdcm

    interpretation = gdcm.PhotometricInterpretation.GetPIType(image.photometric)
    if interpretation == gdcm.PhotometricInterpretation.PI_END or image.bits_allocated > _MOST_BITS:
        raise ValueError
    writer = gdcm.ImageWriter()  # what it gives ends with it
    picture = writer.GetImage()
    picture.SetNumberOfDimensions(2)
    picture.SetDimensions((image.columns, image.rows, 1))
    picture.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(interpretation))
    picture.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ExplicitVRLittleEndian))
    picture.SetPixelFormat(
        gdcm.PixelFormat(image.samples, image.bits_allocated, image.bits_stored, image.high_bit, int(image.is_signed))
    )
    if image.samples > 1:
        picture.SetPlanarConfiguration(0)
    pixels = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    pixels.SetByteStringValue(frame)
    picture.SetDataElement(pixels)
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(picture)
    fragments = change.GetOutput().GetDataElement().GetSequenceOfFragments() if change.Change() else None
    if fragments is None or fragments.GetNumberOfFragments() != 1:
        raise ValueError
    content: str = fragments.GetFragment(0).GetByteValue().GetBuffer()
    return content.encode("utf-8", "surrogateescape")
