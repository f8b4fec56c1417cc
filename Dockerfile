# One image for the server, the workers and the command line.
FROM node:24
WORKDIR /windlass
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY . .
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=4
ENTRYPOINT ["node", "apps/cli/windlass.mjs"]
CMD ["server"]
