import { z } from 'zod';
import { DOCKER_ADDRESS_FORMS, parseDockerAddress } from '#core/declarations/docker-address.ts';
import { Name, SecretRef } from '#core/declarations/pipeline.ts';
import { LabelName, LabelValue } from '#core/docker/kind-words.ts';

const Ssh = z.strictObject({
  key: SecretRef.optional().describe(
    "Private key without a passphrase; the user's ssh agent and keys in `~/.ssh` when left out",
  ),
  knownHosts: SecretRef.optional().describe(
    "Lines of known_hosts with the server's host key; `~/.ssh/known_hosts` when left out",
  ),
});

const Tls = z.strictObject({
  ca: SecretRef.describe("Certificate of the authority that vouches for the server's, PEM"),
  cert: SecretRef.describe('Client certificate that dockerd asks for, PEM'),
  key: SecretRef.describe('Its private key, PEM'),
});

const REACH = {
  docker: z
    .string()
    .refine((text) => parseDockerAddress(text) !== undefined, DOCKER_ADDRESS_FORMS)
    .describe(
      'Address of the Docker Engine: unix:///var/run/docker.sock, ssh://user@host[:port][/path/of/docker.sock] or tcp://host:port',
    ),
  ssh: Ssh.optional().describe(
    'How to log in at an ssh:// address, read where the deploy worker runs',
  ),
  tls: Tls.optional().describe(
    'Certificates for a tcp:// address, read where the deploy worker runs',
  ),
};

/** How a server's Docker is reached. */
export const Reach = z.strictObject(REACH);
export type Reach = z.infer<typeof Reach>;

/** A machine of a cluster, and how its Docker Engine is reached. */
export const Server = z
  .strictObject({
    name: Name.describe('Name of the server within the cluster'),
    ...REACH,
    advertise: z
      .union([z.ipv4(), z.ipv6()], 'must be an IP address')
      .optional()
      .describe('Swarm: the address at which the other servers reach it'),
    role: z
      .enum(['manager', 'worker'])
      .optional()
      .describe('Swarm: managers keep the state of the fleet between them; 1, 3, 5 or 7 of them'),
    labels: z
      .record(LabelName, LabelValue)
      .optional()
      .describe('Swarm: labels of the node, for `nodeSelector`; others than these are taken off'),
    state: z
      .enum(['active', 'drain', 'absent'])
      .optional()
      .describe(
        'Swarm: `active` when left out; `drain` has what runs there run elsewhere, `absent` takes the server out after that',
      ),
  })
  .superRefine(({ docker, ssh, tls }, context) => {
    const kind = parseDockerAddress(docker)?.kind;
    function tell(path: string[], message: string): void {
      context.addIssue({ code: 'custom', path, message });
    }
    if (ssh !== undefined && kind !== 'ssh') tell(['ssh'], 'is for an ssh:// address only');
    if (tls !== undefined && kind !== 'tcp') tell(['tls'], 'is for a tcp:// address only');
    if (tls === undefined && kind === 'tcp')
      tell(
        ['docker'],
        'must have tls beside it: without it, whoever reaches the port is root there',
      );
  });
export type Server = z.infer<typeof Server>;
