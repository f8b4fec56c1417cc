import type { Logger } from 'pino';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import type { Accounts } from '#core/kubernetes/accounts.ts';
import type { JudgeHealth } from '#core/kubernetes/health-rules.ts';

/** What every part of the engine works with. */
export interface KubernetesContext {
  client: KubeClient;
  cluster: string;
  installation: string;
  /** A stand-in for a text that tells nothing of it. */
  seal: (text: string) => string;
  /** As whom pipelines act. */
  accounts: Accounts;
  /** Of kinds whose health somebody has defined, by `group/Kind`. */
  judges: ReadonlyMap<string, JudgeHealth>;
  /** What is known of the cluster has changed. */
  onChange: () => void;
  log: Logger;
}
