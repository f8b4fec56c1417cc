/** Loaded into a role that is measured: SIGUSR2 asks it to let go of what nothing refers to any more. */
process.on('SIGUSR2', () => globalThis.gc?.());
