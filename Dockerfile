# One image for the server, the workers and the command line.
FROM node:24
WORKDIR /windlass
COPY package.json package-lock.json .npmrc ./
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=4
RUN npm ci
COPY . .
# Notes that the packages fit: a container may have no right to write that.
RUN node apps/cli/windlass.mjs --help
ENTRYPOINT ["node", "apps/cli/windlass.mjs"]
CMD ["server"]
