import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool } from '#adapters/debian/tool.ts';

const OPENSSL = {
  program: 'openssl',
  packages: ['openssl'],
  file: 'usr/bin/openssl',
  install: 'install openssl',
};

export interface Certificate {
  /** Of the authority, which nothing on the machine knows. */
  caFile: string;
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

/** A certificate for the address and localhost, by an authority of its own; a client may show it too. */
export async function makeCertificate(folder: string, address = '127.0.0.1'): Promise<Certificate> {
  await mkdir(folder, { recursive: true });
  const search = { tools: join(tmpdir(), 'windlass-test-tools'), path: process.env['PATH'] ?? '' };
  const { command, args } = await findTool(OPENSSL, search, AbortSignal.timeout(120_000));
  const config = join(folder, 'openssl.cnf');
  await writeFile(config, '[req]\ndistinguished_name = dn\n[dn]\n');
  const extensions = join(folder, 'extensions');
  await writeFile(extensions, `subjectAltName = IP:${address}, DNS:localhost\n`);

  async function openssl(line: string): Promise<void> {
    await promisify(execFile)(command, [...args, ...line.split(/\s+/)], {
      cwd: folder,
      env: { ...process.env, OPENSSL_CONF: config },
    });
  }

  const fresh = 'req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  const signed = '-CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions';
  await openssl(
    `${fresh} -x509 -addext basicConstraints=critical,CA:TRUE -days 30 -subj /CN=authority -keyout ca.key -out ca.crt`,
  );
  await openssl(`${fresh} -subj /CN=${address} -keyout server.key -out server.csr`);
  await openssl(`x509 -req -in server.csr ${signed} -out server.crt`);
  const [certFile, keyFile] = [join(folder, 'server.crt'), join(folder, 'server.key')];
  return {
    caFile: join(folder, 'ca.crt'),
    certFile,
    keyFile,
    cert: await readFile(certFile, 'utf8'),
    key: await readFile(keyFile, 'utf8'),
  };
}
