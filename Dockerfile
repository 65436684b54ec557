# The gateway as an image: non-root, no shell, fit for a read-only root file system.
#
#   docker build -t acr-egress .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges --stop-timeout 660 \
#     -p 443:443 -p 127.0.0.1:9180:9180 \
#     -v ./config.yaml:/etc/acr-egress/config.yaml:ro \
#     acr-egress
#
# Mount     the configuration at /etc/acr-egress/config.yaml, and the files it names (TLS certificate and key, password
#           file) where it says. User 65532 must be able to read them: `chown 65532` and `chmod 0600` for a key, since
#           one that others may read is refused. Nothing is written, so nothing else needs a volume.
# Port 443  needs no capability in Docker's own networks, where net.ipv4.ip_unprivileged_port_start is 0. With
#           `--network host`, or where that sysctl is not set, write `listen.port: 8443` and publish `-p 443:8443`.
# Admin     listens on the loopback address of the container unless `admin.address` is 0.0.0.0; publish it, as above,
#           to the loopback address of the host only.
# Stopping  waits for open tunnels up to `shutdown.drainTimeout`, ten minutes by default; so must `--stop-timeout`.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/copy-page.js scripts/
COPY src src
RUN npm run build && rm dist/.tsbuildinfo && npm prune --omit=dev

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
EXPOSE 443 9180
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
CMD ["serve"]
