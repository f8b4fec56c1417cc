import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent } from 'node:https';
import { axios } from 'acme-client';

const REQUEST_TIMEOUT_MS = 30_000;

/** What the requests of one conversation are made with, and what the last one was answered. */
export interface Call {
  agent: Agent;
  signal: AbortSignal;
  /** Absent where nothing answered. */
  status?: number;
  retryAfter?: string;
}

const calls = new AsyncLocalStorage<Call>();

// The library has one HTTP client for all, whose own retries know no end from outside: ours knows each call's.
axios.interceptors.request.clear();
axios.interceptors.response.clear();
axios.interceptors.request.use((config) => {
  const call = calls.getStore();
  if (call === undefined) return config;
  delete call.status;
  delete call.retryAfter;
  const { agent, signal } = call;
  return Object.assign(config, { httpsAgent: agent, signal, timeout: REQUEST_TIMEOUT_MS });
});
axios.interceptors.response.use((response) => {
  const call = calls.getStore();
  const retryAfter: unknown = response.headers['retry-after'];
  if (call !== undefined) call.status = response.status;
  if (call !== undefined && typeof retryAfter === 'string') call.retryAfter = retryAfter;
  return response;
});

/** Makes all requests of `talk` as the call says; `authority`: the only one that the server's certificate may be of. */
export async function converse<T>(
  authority: string | undefined,
  signal: AbortSignal,
  talk: (call: Call) => Promise<T>,
): Promise<T> {
  const agent = new Agent(authority === undefined ? {} : { ca: authority });
  const call = { agent, signal };
  try {
    return await calls.run(call, () => talk(call));
  } finally {
    agent.destroy();
  }
}
