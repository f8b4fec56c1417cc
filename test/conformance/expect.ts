import { z } from 'zod';

/** Equal; text between slashes is a regular expression. */
const Text = z.string();
/** That many, or so many at least. */
const Count = z.union([z.int(), z.strictObject({ least: z.int() })]);

const timing = {
  /** Seconds until it has to be so. */
  within: z.number().default(240),
  /** Seconds it then has to stay so. */
  for: z.number().default(0),
};

const Serves = z.strictObject({ serves: z.strictObject({}), ...timing });
/** The state asked for is not reached, and why. */
const Fails = z.strictObject({ fails: Text, ...timing });

/** How the container is told of, in every pod of its workload that is not about to go. */
const ContainerIs = z.strictObject({
  /** `web`, of the Deployment of that name, or `web in Deployment/shop`. */
  container: z.string(),
  becomes: z.strictObject({
    state: z.enum(['waiting', 'running', 'terminated']).optional(),
    ready: z.boolean().optional(),
    restarts: Count.optional(),
    reason: Text.optional(),
    message: Text.optional(),
    /** As `message`, of engines that explain. */
    told: Text.optional(),
    exitCode: z.int().optional(),
    last: z
      .strictObject({
        reason: Text.optional(),
        exitCode: z.int().optional(),
        message: Text.optional(),
        told: Text.optional(),
      })
      .optional(),
  }),
  ...timing,
});

const PodsAre = z.strictObject({
  pods: z.string(),
  become: z.strictObject({
    count: Count.optional(),
    ready: Count.optional(),
    /** Of all of them. */
    phase: z.enum(['Succeeded', 'Failed']).optional(),
    reason: Text.optional(),
  }),
  ...timing,
});

/** What is told of a workload in a line. */
const SummaryIs = z.strictObject({
  summary: z.string(),
  says: Text.optional(),
  /** As `says`, of engines that explain. */
  told: Text.optional(),
  ...timing,
});

/** A command in a container of one of the pods. */
const Runs = z.strictObject({
  run: z.array(z.string()).nonempty(),
  in: z.string(),
  /** What it writes to both outputs, without white space around it. */
  prints: Text.optional(),
  exits: z.int().default(0),
  ...timing,
});

const Logs = z.strictObject({ logs: z.string(), contain: Text, ...timing });

/** A datagram to the host, in hexadecimal digits, at the Service's nodePort, and the one that comes back. */
const Datagrams = z.strictObject({
  nodePort: z.string(),
  sends: z.string().regex(/^([0-9a-f ]{2})+$/),
  answers: Text,
  ...timing,
});

/** A page of the host, at the Service's nodePort. */
const Answers = z.strictObject({
  nodePort: z.string(),
  path: z.string().default('/'),
  answers: Text,
  ...timing,
});

/** The same at a port of its load balancer; false: no answer. */
const Balances = z.strictObject({
  loadBalancer: z.string(),
  port: z.int(),
  path: z.string().default('/'),
  answers: z.union([Text, z.literal(false)]),
  ...timing,
});

/** What an Ingress answers; a name leads to the cluster, whatever it is. */
const IngressAnswers = z.strictObject({
  ingress: z.url(),
  method: z.string().default('GET'),
  headers: z.record(z.string(), z.string()).default({}),
  /** How many bytes to send. */
  bytes: z.int().default(0),
  version: z.enum(['1.1', '2']).default('1.1'),
  answers: z.union([
    z.strictObject({
      status: z.int().default(200),
      headers: z.record(z.string(), Text).default({}),
      body: Text.optional(),
      /** Text with which the body begins, before it ends. */
      begins: z.string().optional(),
    }),
    z.literal(false),
  ]),
  ...timing,
});

const Apply = z.strictObject({ apply: z.string() });

/** The registry has that image too from then on. */
const Push = z.strictObject({ push: z.string() });

export const Step = z.union([
  Serves,
  Fails,
  ContainerIs,
  PodsAre,
  SummaryIs,
  Runs,
  Logs,
  Datagrams,
  Answers,
  Balances,
  IngressAnswers,
  Apply,
  Push,
]);
export type Step = z.infer<typeof Step>;

/** What is checked of a behaviour. */
export const Expectations = z.strictObject({
  about: z.string(),
  /** What not every machine has; without it the behaviour cannot be tried there. */
  needs: z.array(z.enum(['allCapabilities', 'sharedMounts'])).default([]),
  /** Fields of which this is the test, each `Kind path`, of pods as of the kind Pod. */
  honours: z.array(z.string()).default([]),
  steps: z.array(Step).nonempty(),
});
export type Expectations = z.infer<typeof Expectations>;
