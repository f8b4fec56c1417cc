import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { EdgeConfig } from '#core/docker/world.ts';
import { messageOf } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import type { SystemFiles } from './system-files.ts';
import { systemFolder } from './system-files.ts';

/** The edge's certificates: one that HAProxy would refuse is left out, so that the others are served. */
export interface Certificates {
  /** Puts down what is known, and answers the configuration with those only that are there. */
  put(
    sandbox: InspectedContainer,
    edge: InspectedContainer,
    config: EdgeConfig,
    signal: AbortSignal,
  ): Promise<string>;
  /** Removes those that are not meant any more. */
  keepOnly(sandbox: InspectedContainer, config: EdgeConfig, signal: AbortSignal): Promise<void>;
}

export function createCertificates(
  context: DockerContext,
  shell: SandboxShell,
  files: SystemFiles,
): Certificates {
  const written = new Set<string>();

  async function isThere(
    sandbox: InspectedContainer,
    edge: InspectedContainer,
    { file, pem }: EdgeConfig['certificates'][number],
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = `${sandbox.Id} ${file}`;
    if (written.has(known)) return true;
    if (pem === undefined) return (await files.read(edge.Id, 'edge', file, signal)) !== undefined;
    const problem = problemOf(pem);
    if (problem !== undefined) {
      context.log.warn({ cluster: context.cluster, file, problem }, 'certificate left out');
      return false;
    }
    await files.write(sandbox.Id, 'edge', { [file]: pem }, signal);
    written.add(known);
    return true;
  }

  return {
    async put(sandbox, edge, { haproxy, certificates }, signal) {
      let text = haproxy;
      for (const certificate of certificates) {
        if (await isThere(sandbox, edge, certificate, signal)) continue;
        text = text.replaceAll(` crt ${systemFolder('edge')}/${certificate.file}`, '');
      }
      return text;
    },
    async keepOnly(sandbox, { certificates }, signal) {
      if (written.size === 0) return;
      await shell.run(sandbox.Id, pruneScript(certificates.map(({ file }) => file)), signal);
      const kept = new Set(certificates.map(({ file }) => `${sandbox.Id} ${file}`));
      for (const known of written) if (!kept.has(known)) written.delete(known);
    },
  };
}

/** Why HAProxy would not have it; absent where it would. */
function problemOf(pem: string): string | undefined {
  try {
    const isPair = new X509Certificate(pem).checkPrivateKey(createPrivateKey(pem));
    return isPair ? undefined : 'tls.key is not the key of tls.crt';
  } catch (error) {
    return messageOf(error);
  }
}

function pruneScript(wanted: readonly string[]): string {
  return `
cd ${systemFolder('edge')}
for file in tls-*.pem; do
  case " ${wanted.join(' ')} " in *" $file "*) ;; *) rm -f "$file" ;; esac
done
`;
}
