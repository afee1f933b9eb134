# One small image, one process tree, no other service. Configuration and data are mounted:
#   docker build -t micropacs .
#   docker run -p 11112:11112 -v /srv/micropacs:/srv/micropacs micropacs
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rules rules
COPY archive archive
COPY router router
RUN pip install --no-cache-dir --prefix=/install '.[postgresql,mysql,codecs]'

FROM python:3.12-slim
COPY --from=build /install /usr/local
RUN useradd --system --uid 10112 --home /srv/micropacs micropacs \
    && install -d -o micropacs -g micropacs -m 0750 /srv/micropacs
USER micropacs
WORKDIR /srv/micropacs
ENV MICROPACS_CONFIG=/srv/micropacs/micropacs.yaml
EXPOSE 11112 2762
VOLUME /srv/micropacs
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s CMD ["micropacs", "status", "--quiet"]
ENTRYPOINT ["micropacs"]
CMD ["serve"]
