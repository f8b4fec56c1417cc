import { defineConfig } from 'vitest/config';

const FLEET = 'test/e2e/fleet.test.ts';
/** Each of them has an engine at work all of the time. */
const ENGINES = 'workers/deploy/engines/**/*.integration.test.ts';

/** `unit` needs nothing installed; the others but `kubernetes` need what `npm test` sets up (see test/README.md). */
export default defineConfig({
  test: {
    // What failed is told in a line.
    chaiConfig: { truncateThreshold: 400 },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{core,adapters,apps,workers,docs}/**/*.test.ts',
            'test/schedules/**/*.test.ts',
            'test/conformance/expect.test.ts',
            'test/results.test.ts',
            'test/malformed/**/*.test.ts',
          ],
          exclude: ['**/*.{integration,kubernetes}.test.ts'],
          // None of them leaves anything behind for the next: to make a process for each took longer than they do.
          isolate: false,
          maxWorkers: 2,
          // Generated cases take seconds, on a machine that has other things to do many.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['{core,adapters,apps,workers,test}/**/*.integration.test.ts'],
          exclude: [ENGINES],
          testTimeout: 120_000,
          // Images are made in hooks: `test/tools/dockerd.ts` waits for them for up to four minutes.
          hookTimeout: 300_000,
          // Each waits for most of its time, and has names, ports and folders of its own.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: 'engines',
          include: [ENGINES],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'fleet',
          include: [FLEET],
          testTimeout: 600_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'kubernetes',
          include: [
            'workers/**/*.kubernetes.test.ts',
            'test/conformance/kubernetes.test.ts',
            'test/kubernetes/*.test.ts',
          ],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['test/conformance/{docker,swarm}.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 300_000,
          // Each probe by a command is a program that Docker starts: more of them at once and they are late.
          maxConcurrency: 8,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [FLEET],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
