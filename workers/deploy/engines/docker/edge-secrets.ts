import { userLines, usersMark } from '#core/docker/ingress-users.ts';
import { CA_FILE } from '#core/docker/proxy.ts';
import type { CertificateFacts, EdgeCertificate, EdgeConfig } from '#core/docker/world.ts';
import { certificateFacts } from './certificate-facts.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import type { InternalCa } from './internal-ca.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import type { SystemFiles } from './system-files.ts';
import { systemFolder } from './system-files.ts';

/** So long what an authority gave is kept though nobody asks for it: who puts an Ingress back needs no other. */
const KEPT_DAYS = 90;

/**
 * What the edge has of Secrets: certificates, and who is let in. A certificate that HAProxy would refuse is left out, so that
 * the others are served; users that are not known are not let in.
 */
export interface EdgeSecrets {
  /** Puts down what is known, and answers the configuration with those only that are there. */
  put(
    sandbox: InspectedContainer,
    edge: InspectedContainer,
    config: EdgeConfig,
    signal: AbortSignal,
  ): Promise<string>;
  /** The edge would not have that one, whatever it looks like. */
  refuse(file: string): void;
  /** What is known of certificates, by file. */
  facts(): Readonly<Record<string, CertificateFacts>>;
  /** Removes those that are not meant any more. */
  keepOnly(sandbox: InspectedContainer, config: EdgeConfig, signal: AbortSignal): Promise<void>;
}

export function createEdgeSecrets(
  context: DockerContext,
  shell: SandboxShell,
  files: SystemFiles,
  ca: InternalCa,
): EdgeSecrets {
  /** Content of files that are there, by sandbox and file. */
  const contents = new Map<string, string>();
  /** Of those too that were left out: who asks for one again is told the same. */
  const facts = new Map<string, CertificateFacts>();

  /** What is in the file, which is put down where that is known; absent where it is neither known nor there. */
  async function contentOf(
    sandbox: InspectedContainer,
    edge: InspectedContainer,
    { file, text }: { file: string; text: string | undefined },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const place = `${sandbox.Id} ${file}`;
    const before = contents.get(place);
    if (before !== undefined) return before;
    if (text !== undefined) await files.write(sandbox.Id, 'edge', { [file]: text }, signal);
    const found = text ?? (await files.read(edge.Id, 'edge', file, signal));
    if (found !== undefined) contents.set(place, found);
    return found;
  }

  /** What is there already, else what is made. */
  async function madeOnce(
    sandbox: InspectedContainer,
    edge: InspectedContainer,
    { file, make }: { file: string; make: () => Promise<string> },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const found = await contentOf(sandbox, edge, { file, text: undefined }, signal);
    return found ?? contentOf(sandbox, edge, { file, text: await make() }, signal);
  }

  function certificateOf(
    sandbox: InspectedContainer,
    edge: InspectedContainer,
    { file, pem, own }: EdgeCertificate,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    return own === undefined
      ? contentOf(sandbox, edge, { file, text: pem }, signal)
      : madeOnce(sandbox, edge, { file, make: () => ca.issue(own) }, signal);
  }

  function learn(file: string, pem: string): CertificateFacts {
    const known = facts.get(file) ?? certificateFacts(pem);
    facts.set(file, known);
    return known;
  }

  return {
    async put(sandbox, edge, { haproxy, scripts, certificates, users }, signal) {
      let text = haproxy;
      for (const script of scripts) await contentOf(sandbox, edge, script, signal);
      if (certificates.some(({ own }) => own !== undefined))
        await madeOnce(sandbox, edge, { file: CA_FILE, make: () => ca.certificate() }, signal);
      for (const certificate of certificates) {
        const { file } = certificate;
        const pem = await certificateOf(sandbox, edge, certificate, signal);
        const problem = pem === undefined ? 'it is not known' : learn(file, pem).problem;
        if (problem === undefined) continue;
        context.log.warn({ cluster: context.cluster, file, problem }, 'certificate left out');
        text = text.replaceAll(` crt ${systemFolder('edge')}/${file}`, '');
      }
      for (const { file, text: given } of users) {
        if (file === undefined) continue;
        const found = await contentOf(sandbox, edge, { file, text: given }, signal);
        if (found !== undefined) text = text.replace(usersMark(file), () => userLines(found));
      }
      return text;
    },
    refuse: (file) => {
      facts.set(file, {
        problem: 'HAProxy cannot load it: its chain is broken or its key too weak',
      });
    },
    facts: () => Object.fromEntries(facts),
    async keepOnly(sandbox, { scripts, certificates, users }, signal) {
      if (contents.size === 0) return;
      const wanted = [...scripts, ...certificates, ...users].flatMap(({ file }) => file ?? []);
      await shell.run(sandbox.Id, pruneScript(wanted), signal);
      const kept = new Set([...wanted, CA_FILE].map((file) => `${sandbox.Id} ${file}`));
      for (const place of contents.keys()) if (!kept.has(place)) contents.delete(place);
      for (const [file, { problem }] of facts)
        if (problem === undefined && !wanted.includes(file)) facts.delete(file);
    },
  };
}

function pruneScript(wanted: readonly string[]): string {
  return `
cd ${systemFolder('edge')}
for file in tls-*.pem own-*.pem users-* body-size-*.lua; do
  case " ${wanted.join(' ')} " in *" $file "*) ;; *) rm -f "$file" ;; esac
done
for file in acme-*.json; do
  [ -e "$file" ] || continue
  id="\${file#acme-}"
  case " ${wanted.join(' ')} " in *" tls-acme.\${id%.json}-"*) ;; *) find "$file" -mtime +${KEPT_DAYS} -exec rm -f {} + ;; esac
done
`;
}
