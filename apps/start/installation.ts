export { readInstallation } from '#adapters/state/installation.ts';
