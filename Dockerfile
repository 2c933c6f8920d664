# The engine alone, for compose.yaml; the web pages are not in it. Written and reviewed by reading
# only: no Docker engine was there to build it. One stage: the image keeps what built it.
FROM debian:12-slim
WORKDIR /opt/shanhuo
COPY scripts/packages.txt scripts/
RUN apt-get update && grep -vE '^(#|chromium|fonts-|kcat|maven|openjdk)' scripts/packages.txt | \
    xargs apt-get install -y --no-install-recommends && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release && ninja -C build/release shanhuo
ENTRYPOINT ["build/release/shanhuo"]
CMD ["serve"]
