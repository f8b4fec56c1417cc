import { z } from 'zod';
import { RunningAnswer, RunningQuery } from '#core/adopt/running-container.ts';
import {
  ByHandAnswer,
  ConfirmRequest,
  DeleteAnswer,
  DeleteRequest,
  ForgetAnswer,
  OpenRequest,
  RestartRequest,
  ScaleRequest,
  SuspendRequest,
} from '#core/api/by-hand.ts';
import {
  ClusterList,
  ClusterView,
  FleetView,
  WorkloadLogEvent,
  WorkloadLogQuery,
} from '#core/api/cluster.ts';
import { ErrorBody } from '#core/api/error.ts';
import { EventLine, EventQuery } from '#core/api/event.ts';
import { LossAnswer, RebalancePlan, RebalanceRequest, SimulateQuery } from '#core/api/fleet.ts';
import { ConfigView, PipelineList } from '#core/api/pipeline.ts';
import { PlanAnswer, PlanRequest } from '#core/api/plan.ts';
import { ProblemList } from '#core/api/problem.ts';
import { ReleaseList, ReleaseQuery } from '#core/api/release.ts';
import {
  RollbackRequest,
  RunList,
  RunLogEvent,
  RunLogQuery,
  RunQuery,
  RunView,
} from '#core/api/run.ts';
import { ConnectQuery, ExecQuery } from '#core/api/tunnel.ts';
import {
  RecoverAnswer,
  RecoverRequest,
  ServersAnswer,
  ServersPlanRequest,
} from '#core/api/servers.ts';
import { WhyAnswer, WhyQuery } from '#core/api/why.ts';

export const API_PREFIX = '/api/v1';

type Json = Record<string, unknown>;

interface Endpoint {
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Absent where the connection becomes a WebSocket. */
  answer?: { name: string; schema: z.ZodType; as?: 'lines' | 'events' };
}

const RUN = { name: 'Run', schema: RunView };
const BY_HAND = { name: 'ByHand', schema: ByHandAnswer };

/** Every route below the prefix, by method and path. */
const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  'GET /runs': {
    summary: 'Runs, newest first',
    query: RunQuery,
    answer: { name: 'RunList', schema: RunList },
  },
  'GET /runs/{id}': { summary: 'A run', answer: RUN },
  'POST /runs/{id}/cancel': { summary: 'End a run that has not ended', answer: RUN },
  'POST /runs/{id}/retry': { summary: 'A new run for the commit of one that ended', answer: RUN },
  'GET /runs/{id}/logs': {
    summary: 'The log of a run, and the run after each change; the run is the last line',
    query: RunLogQuery,
    answer: { name: 'RunLogEvent', schema: RunLogEvent, as: 'lines' },
  },
  'POST /rollback': {
    summary: 'A new run that releases what an earlier release had',
    body: RollbackRequest,
    answer: RUN,
  },
  'GET /events': {
    summary: 'Changes of runs and lines of their logs as they come, as server-sent events',
    answer: { name: 'Run', schema: RunView, as: 'events' },
  },
  'GET /pipelines': {
    summary: 'Pipelines that are declared',
    answer: { name: 'PipelineList', schema: PipelineList },
  },
  'GET /config': {
    summary: 'Where declarations come from, and whether the newest are in force',
    answer: { name: 'Config', schema: ConfigView },
  },
  'GET /releases/{pipeline}/{entry}': {
    summary: 'Releases of a deploy entry, newest first',
    query: ReleaseQuery,
    answer: { name: 'ReleaseList', schema: ReleaseList },
  },
  'GET /problems': {
    summary: 'What keeps the newest of what is declared or pushed from being seen',
    answer: { name: 'ProblemList', schema: ProblemList },
  },
  'POST /plan': {
    summary: 'What would change on the live cluster if these manifests were released now',
    body: PlanRequest,
    answer: { name: 'PlanAnswer', schema: PlanAnswer },
  },
  'GET /clusters': {
    summary: 'Clusters and what runs on them',
    answer: { name: 'ClusterList', schema: ClusterList },
  },
  'GET /clusters/{name}/workloads': {
    summary: 'A cluster and what runs on it',
    answer: { name: 'Cluster', schema: ClusterView },
  },
  'GET /clusters/{name}/logs': {
    summary: 'What the containers of a workload write',
    query: WorkloadLogQuery,
    answer: { name: 'WorkloadLogEvent', schema: WorkloadLogEvent, as: 'lines' },
  },
  'GET /clusters/{name}/events': {
    summary: 'What happened on a cluster, and why',
    query: EventQuery,
    answer: { name: 'ClusterEvent', schema: EventLine, as: 'lines' },
  },
  'GET /clusters/{name}/exec': {
    summary: 'A WebSocket to a command in a container',
    query: ExecQuery,
  },
  'GET /clusters/{name}/connect': {
    summary: 'A WebSocket to a port of a workload',
    query: ConnectQuery,
  },
  'GET /clusters/{name}/servers': {
    summary: 'The servers of a cluster, what is under way with them and why',
    answer: { name: 'Servers', schema: ServersAnswer },
  },
  'POST /clusters/{name}/servers/plan': {
    summary: 'What would be done with the servers of a cluster if its file had these',
    body: ServersPlanRequest,
    answer: { name: 'Fleet', schema: FleetView },
  },
  'POST /clusters/{name}/servers/recover': {
    summary:
      'What it takes for a swarm without quorum to go on with one manager; confirmed, it is done',
    body: RecoverRequest,
    answer: { name: 'Recover', schema: RecoverAnswer },
  },
  'GET /clusters/{name}/simulate': {
    summary: 'What would happen if servers of the cluster were lost',
    query: SimulateQuery,
    answer: { name: 'Loss', schema: LossAnswer },
  },
  'GET /clusters/{name}/rebalance': {
    summary: 'What the servers of the cluster have unevenly',
    answer: { name: 'RebalancePlan', schema: RebalancePlan },
  },
  'POST /clusters/{name}/rebalance': {
    summary: 'Spread that anew, one after the other',
    body: RebalanceRequest,
    answer: { name: 'RebalancePlan', schema: RebalancePlan },
  },
  'POST /clusters/{name}/scale': {
    summary: 'Another number of replicas than in git, for a while or until the next release',
    body: ScaleRequest,
    answer: BY_HAND,
  },
  'POST /clusters/{name}/restart': {
    summary: 'New pods in the place of all that a workload has',
    body: RestartRequest,
    answer: BY_HAND,
  },
  'POST /clusters/{name}/forget': {
    summary: 'Forget a cluster that is declared no longer; what runs on it stays',
    answer: { name: 'ForgetAnswer', schema: ForgetAnswer },
  },
  'POST /clusters/{name}/running': {
    summary: 'Containers that somebody else made, to be adopted; with their environment in clear',
    body: RunningQuery,
    answer: { name: 'RunningContainers', schema: RunningAnswer },
  },
  'POST /entries/{pipeline}/{entry}/confirm': {
    summary: 'Let the deletions of a release pass that wait because they are many',
    body: ConfirmRequest,
    answer: BY_HAND,
  },
  'POST /entries/{pipeline}/{entry}/suspend': {
    summary: 'Change, heal and release nothing of an entry any more',
    body: SuspendRequest,
    answer: BY_HAND,
  },
  'POST /entries/{pipeline}/{entry}/open': {
    summary: 'Let deploys of an entry begin for a while, whatever its windows say',
    body: OpenRequest,
    answer: BY_HAND,
  },
  'POST /entries/{pipeline}/{entry}/resume': { summary: 'End that', answer: BY_HAND },
  'POST /pipelines/{pipeline}/delete': {
    summary: 'Remove what entries have on clusters where they are declared no longer',
    body: DeleteRequest,
    answer: { name: 'DeleteAnswer', schema: DeleteAnswer },
  },
  'GET /why': {
    summary: 'From a container to the push that led to it',
    query: WhyQuery,
    answer: { name: 'WhyAnswer', schema: WhyAnswer },
  },
  'GET /openapi.json': {
    summary: 'This document',
    answer: { name: 'OpenApiDocument', schema: z.looseObject({ openapi: z.string() }) },
  },
};

/** Whether the document tells of a route, with parameters as `:name`. */
export function isDocumented(method: string, path: string): boolean {
  return Object.hasOwn(ENDPOINTS, `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
}

/** The REST API as an OpenAPI 3.1 document, made of the schemas that the server checks with. */
export function openApiDocument(): Json {
  const paths: Record<string, Json> = {};
  const schemas: Json = { Error: schemaOf(ErrorBody, 'output') };
  for (const [key, endpoint] of Object.entries(ENDPOINTS)) {
    const [method = '', path = ''] = key.split(' ');
    const { answer } = endpoint;
    if (answer !== undefined) schemas[answer.name] = schemaOf(answer.schema, 'output');
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(key, path, endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Windlass',
      version: 'v1',
      description:
        'Fields may come to answers; none that is here goes or changes its meaning within v1.',
    },
    servers: [{ url: API_PREFIX }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token `admin`' },
      },
    },
  };
}

function operation(key: string, path: string, { summary, query, body, answer }: Endpoint): Json {
  return {
    operationId: operationId(key),
    summary,
    parameters: [...pathParameters(path), ...(query === undefined ? [] : queryParameters(query))],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: {
      ...(answer === undefined
        ? { '101': { description: 'The connection is a WebSocket from now on' } }
        : { '200': answerOf(summary, answer) }),
      default: {
        description: 'Why it was refused or failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

const MEDIA_TYPES = {
  lines: 'application/x-ndjson',
  events: 'text/event-stream',
} as const;

/** Of several lines or events the schema is that of one. */
function answerOf(description: string, { name, as }: NonNullable<Endpoint['answer']>): Json {
  const schema = { $ref: `#/components/schemas/${name}` };
  const type = as === undefined ? 'application/json' : MEDIA_TYPES[as];
  return { description, content: { [type]: { schema } } };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
}

function queryParameters(query: z.ZodObject): Json[] {
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: 'query', required: required.includes(name), schema };
  });
}

/** `post_runs_id_cancel` */
function operationId(key: string): string {
  return key
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return plain;
}
