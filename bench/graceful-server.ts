/** An HTTP server that ends as one should: it answers what it has begun, and says on kept connections that it closes. */
const CONFIGURATION = `global
  hard-stop-after 20s
defaults
  mode http
  option idle-close-on-response
  timeout client 30s
  timeout server 30s
  timeout connect 3s
frontend web
  bind *:8080
  http-request return status 200 content-type text/plain lf-string "%[env(PAGE)]"
`;

/** Files of its repository, and what its image adds to that of HAProxy. It serves the variable PAGE on port 8080. */
export function gracefulServer(): { files: Record<string, string>; image: string } {
  return {
    files: { 'haproxy.cfg': CONFIGURATION },
    image:
      'COPY haproxy.cfg /haproxy.cfg\nSTOPSIGNAL SIGUSR1\nCMD ["haproxy", "-f", "/haproxy.cfg"]\n',
  };
}
