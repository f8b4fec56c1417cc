import { z } from 'zod';
import { Label, metadata, Subdomain } from '#core/docker/kind-words.ts';
import { Quantity } from '#core/resources/quantity.ts';

const MOST = 2 ** 31 - 1;
const MOST_REPLICAS = 1_000;
const WINDOW_SECONDS = 3_600;
const PERIOD_SECONDS = 1_800;
const TOLERANCE = 0.1;

const NOT_MEASURED =
  'must be Resource or ContainerResource: there is no metrics API that Pods, Object and External metrics could be asked of';

const ResourceName = z.enum(
  ['cpu', 'memory'],
  'must be cpu or memory: nothing else is measured of a container',
);

const Target = z
  .strictObject({
    type: z.enum(
      ['Utilization', 'AverageValue'],
      'must be Utilization or AverageValue: a Value is of Object and External metrics only',
    ),
    averageUtilization: z.int().min(1).max(MOST).optional(),
    averageValue: Quantity.refine((value) => value > 0, 'must be more than 0').optional(),
  })
  .check(({ value, issues }) => {
    const fields = ['averageUtilization', 'averageValue'] as const;
    const [own, other] = value.type === 'Utilization' ? fields : ([fields[1], fields[0]] as const);
    if (value[own] !== undefined && value[other] === undefined) return;
    issues.push({
      code: 'custom',
      input: value,
      message: `must have ${own}, and no ${other}, with type ${value.type}`,
    });
  });

const Metric = z
  .strictObject({
    type: z.enum(['Resource', 'ContainerResource'], NOT_MEASURED),
    resource: z.strictObject({ name: ResourceName, target: Target }).optional(),
    containerResource: z
      .strictObject({ name: ResourceName, container: Label, target: Target })
      .optional(),
  })
  .refine(
    ({ type, resource, containerResource }) =>
      type === 'Resource'
        ? resource !== undefined && containerResource === undefined
        : containerResource !== undefined && resource === undefined,
    'must have resource with type Resource, containerResource with type ContainerResource, and not the other',
  );
export type Metric = z.infer<typeof Metric>;

/** As in Kubernetes, where nothing is said. */
const CPU_AT_80: Metric[] = [
  {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
  },
];

const Policy = z.strictObject({
  type: z.enum(['Pods', 'Percent']),
  value: z.int().min(1).max(MOST),
  periodSeconds: z.int().min(1).max(PERIOD_SECONDS),
});
export type Policy = z.infer<typeof Policy>;

const Rules = z.strictObject({
  stabilizationWindowSeconds: z.int().min(0).max(WINDOW_SECONDS),
  selectPolicy: z.enum(['Max', 'Min', 'Disabled']).default('Max'),
  policies: z.array(Policy).nonempty('must be one at least: say selectPolicy: Disabled for none'),
  tolerance: Quantity.default(TOLERANCE),
});
export type Rules = z.infer<typeof Rules>;

const EACH_15_S = { periodSeconds: 15 } as const;
const UP: Rules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, ...EACH_15_S },
    { type: 'Percent', value: 100, ...EACH_15_S },
  ],
  tolerance: TOLERANCE,
};
const DOWN: Rules = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, ...EACH_15_S }],
  tolerance: TOLERANCE,
};

function rulesWith({ stabilizationWindowSeconds, policies }: Rules): z.ZodObject<{
  stabilizationWindowSeconds: z.ZodDefault<z.ZodInt>;
  selectPolicy: typeof Rules.shape.selectPolicy;
  policies: z.ZodDefault<typeof Rules.shape.policies>;
  tolerance: typeof Rules.shape.tolerance;
}> {
  return Rules.extend({
    stabilizationWindowSeconds: Rules.shape.stabilizationWindowSeconds.default(
      stabilizationWindowSeconds,
    ),
    policies: Rules.shape.policies.default(policies),
  });
}

/** A HorizontalPodAutoscaler, with what Kubernetes does where its behavior says nothing. */
export const HorizontalPodAutoscaler = z.strictObject({
  apiVersion: z.literal('autoscaling/v2'),
  kind: z.literal('HorizontalPodAutoscaler'),
  metadata: metadata(Subdomain),
  spec: z
    .strictObject({
      scaleTargetRef: z.strictObject({
        apiVersion: z.literal('apps/v1'),
        kind: z.enum(
          ['Deployment', 'StatefulSet'],
          'must be Deployment or StatefulSet: nothing else has replicas that are set from outside',
        ),
        name: Label,
      }),
      minReplicas: z
        .int()
        .min(1, 'must be 1 at least: with no pod there would be nothing to measure')
        .max(MOST_REPLICAS)
        .default(1),
      maxReplicas: z.int().min(1).max(MOST_REPLICAS),
      metrics: z
        .array(Metric)
        .transform((metrics) => (metrics.length === 0 ? CPU_AT_80 : metrics))
        .default(CPU_AT_80),
      behavior: z
        .strictObject({
          scaleUp: rulesWith(UP).default(UP),
          scaleDown: rulesWith(DOWN).default(DOWN),
        })
        .default({ scaleUp: UP, scaleDown: DOWN }),
    })
    .check(({ value, issues }) => {
      if (value.maxReplicas >= value.minReplicas) return;
      issues.push({
        code: 'custom',
        input: value,
        path: ['maxReplicas'],
        message: `is less than minReplicas, which is ${value.minReplicas}`,
      });
    }),
});
export type HorizontalPodAutoscaler = z.infer<typeof HorizontalPodAutoscaler>;
export type AutoscalerSpec = HorizontalPodAutoscaler['spec'];
