"""Scans a top level by a template where it lies as an earlier one, else by the loop, and learns. It reads no value.

What is found does not depend on what was learned, only how fast.
"""

from rules.layout import Layout
from rules.sample import Sample
from rules.scanning import Scan
from rules.template import Template

MOST_TEMPLATES = 16
LONGEST = 128 * 1024  # bytes of a header; a longer one is not kept
_FEWEST_ELEMENTS, _MOST_ELEMENTS = 16, 2048
_MOST_ASKED = 3  # templates that begin as the data set does, but then may go on in another way
_LONGEST_PAUSE = 16  # scans by the loop after a lesson


class Recognition:
    """The latest templates, the last used first. Threads may lose each other's lessons, and nothing else."""

    def __init__(self) -> None:
        self.templates: tuple[Template, ...] = ()
        self._wait = 0  # scans by the loop until the next lesson
        self._pause = 0  # how long that will be then; the longer, the less of use the lessons were

    def scan(self, data: bytes, layout: Layout) -> Scan:
        """What `Scan.run` finds in the whole of `data`, as on the top level. HeaderError as there."""
        asked = 0
        for place, template in enumerate(self.templates):
            if data.startswith(template.beginning) and template.sample.layout is layout:
                scan = template.scan(data)
                if scan is not None:
                    if self._pause:
                        self._pause //= 2
                        self._wait = min(self._wait, self._pause)
                    if place:
                        self._put_first(template, template)
                    return scan
                asked += 1
                if asked == _MOST_ASKED:
                    break
        scan = Scan()
        scan.run(data, 0, len(data), layout, to_pixels=True)
        self._learn(data, layout, scan)
        return scan

    def forget(self) -> None:
        """Be as at first."""
        self.templates = ()
        self._wait = self._pause = 0

    def _learn(self, data: bytes, layout: Layout, scan: Scan) -> None:
        """Make a template of what the loop found, or a better one of the one it is like."""
        if scan.repeated or scan.end > LONGEST or not _FEWEST_ELEMENTS <= len(scan.offsets) <= _MOST_ELEMENTS:
            return
        if self._wait > 0:
            self._wait -= 1
            return
        sample = Sample(data, layout, scan)
        if list(sample.tags) != sorted(sample.tags):
            return  # out of order, a tag may stand there twice unseen
        self._wait, self._pause = self._pause, min(2 * self._pause or 1, _LONGEST_PAUSE)
        old = next((template for template in self.templates if template.sample.is_like(sample)), None)
        self._put_first(old.joined(sample) if old else Template.of(sample), old)

    def _put_first(self, template: Template, old: Template | None) -> None:
        """Let a template, in place of an old one, be asked before all others."""
        others = (each for each in self.templates if each is not old)
        self.templates = (template, *others)[:MOST_TEMPLATES]


RECOGNITION = Recognition()
