/** How containers log: files of 10 MB, three of each container. */
export const CONTAINER_LOG = {
  driver: 'json-file',
  options: { 'max-size': '10m', 'max-file': '3' },
} as const;
