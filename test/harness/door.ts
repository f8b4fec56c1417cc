import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reach } from '#core/declarations/cluster-server.ts';
import { makeCertificate } from '../tools/certificate.ts';
import { makeSshServer } from '../tools/sshd.ts';

const SSH_PORT = 22;
const TLS_PORT = 2376;

/** By what a server's Docker is reached: its socket on this machine, or from the servers' network as another machine's. */
export type DoorKind = 'unix' | 'ssh' | 'tls';

export interface Door {
  /** As it is declared. */
  reach: Reach;
  /** Of dockerd; none has a space in it. */
  options: readonly string[];
  /** What runs on the server beside dockerd. */
  command: readonly string[];
}

/** Its keys and certificates are in `folder`, on no disk of the server. */
export async function makeDoor(
  kind: DoorKind,
  folder: string,
  { address, socket }: { address: string; socket: string },
): Promise<Door> {
  switch (kind) {
    case 'unix':
      return { reach: { docker: `unix://${socket}` }, options: [], command: [] };
    case 'ssh': {
      const place = { host: address, port: SSH_PORT };
      const { command, keyFile, knownHosts } = await makeSshServer(folder, place);
      const file = join(folder, 'known_hosts');
      await writeFile(file, knownHosts);
      const ssh = { key: { file: keyFile }, knownHosts: { file } };
      return { reach: { docker: `ssh://root@${address}`, ssh }, options: [], command };
    }
    case 'tls': {
      const { caFile, certFile, keyFile } = await makeCertificate(folder, address);
      return {
        reach: {
          docker: `tcp://${address}:${TLS_PORT}`,
          tls: { ca: { file: caFile }, cert: { file: certFile }, key: { file: keyFile } },
        },
        options: [
          `--host=tcp://${address}:${TLS_PORT}`,
          '--tlsverify',
          `--tlscacert=${caFile}`,
          `--tlscert=${certFile}`,
          `--tlskey=${keyFile}`,
        ],
        command: [],
      };
    }
  }
}
