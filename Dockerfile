# One image for all programs, and two beside it:
#
#     docker build .                     the programs; `docker run <image> cmlwatch-gateway --help`
#     docker build --target demo .       with the simulator of AWS and CML
#     docker build --target proxy .      nginx: TLS, HTTP/2, nothing buffered
#
# Debian's packages alone, of one release, so that its security updates reach everything here.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/deps deploy/deps
RUN deploy/deps build
COPY . .
ARG VERSION=unknown
ARG SOURCE_DATE_EPOCH=0
RUN make -j"$(nproc)" install PREFIX=/usr DESTDIR=/out INSTALL_STRIP=--strip VERSION="$VERSION" && \
    rm -r /out/etc /out/usr/lib /out/usr/share/man /out/usr/share/bash-completion && \
    install -s build/gcc/cmlwatch-probe /out/usr/bin/ && \
    install -s -D build/gcc/cmlwatch-sim /demo/usr/bin/cmlwatch-sim && \
    install -m 644 -D -t /demo/usr/share/cmlwatch/scenarios tests/simulator/scenarios/*.scenario && \
    install -d -m 700 -o 10001 -g 10001 /out/var/lib/cmlwatch

FROM debian:bookworm-slim AS runtime
# What the programs are linked with; the check is against a list that has fallen behind.
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates libcurl4 libczmq4 libexpat1 libgnutls30 libinih1 \
        libjansson4 libjson-c5 liblmdb0 libmicrohttpd12 libncursesw6 liborcania2.3 librhonabwy1.1 libuuid1 libwslay1 libzmq5 zlib1g && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* && \
    find /usr/share/doc -type f ! -name copyright -delete
COPY --from=build /out/ /
RUN ! ldd /usr/bin/cmlwatch /usr/bin/cmlwatch-* | grep 'not found'

# Each program listens for all of its container, where its network says who may come; /healthz, /readyz and
# /metrics of all are on 8080. A gateway starts there only with a login, or when told that none is wanted.
ENV CMLWATCH_AGGREGATOR_INGEST=tcp://0.0.0.0:5571 \
    CMLWATCH_AGGREGATOR_CONTROL=tcp://0.0.0.0:5572 \
    CMLWATCH_AGGREGATOR_FEED=tcp://0.0.0.0:5573 \
    CMLWATCH_AGGREGATOR_ADMIN=0.0.0.0:8080 \
    CMLWATCH_AGGREGATOR_STORE=/var/lib/cmlwatch \
    CMLWATCH_GATEWAY_LISTEN=0.0.0.0:8080 \
    CMLWATCH_COLLECTOR_EC2_ADMIN=0.0.0.0:8080 \
    CMLWATCH_COLLECTOR_CLOUDWATCH_ADMIN=0.0.0.0:8080 \
    CMLWATCH_COLLECTOR_CML_ADMIN=0.0.0.0:8080 \
    CMLWATCH_COLLECTOR_PROMETHEUS_ADMIN=0.0.0.0:8080
USER 10001:10001
EXPOSE 8080
# No shell stands between: the program is process 1 and gets the signals itself.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=3s --timeout=4s --start-period=30s --retries=3 CMD ["cmlwatch-probe"]
CMD ["cmlwatch-gateway", "--help"]
ARG VERSION=unknown
LABEL org.opencontainers.image.title="cmlwatch" \
      org.opencontainers.image.description="Live view of Cisco Modeling Labs workers on AWS" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="$VERSION"

FROM runtime AS demo
COPY --from=build /demo/ /
CMD ["cmlwatch-sim", "--help"]

FROM debian:bookworm-slim AS proxy
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* && \
    find /usr/share/doc -type f ! -name copyright -delete
COPY --from=build /out/usr/bin/cmlwatch-probe /usr/bin/
COPY deploy/proxy/nginx.conf /etc/nginx/nginx.conf
USER 10001:10001
EXPOSE 8443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=3s --timeout=4s --start-period=10s --retries=3 CMD ["cmlwatch-probe", "127.0.0.1:8081/healthz"]
CMD ["nginx", "-g", "daemon off;"]

# What `docker build .` makes.
FROM runtime
