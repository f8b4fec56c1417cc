const SECTION = /^(?=(?:listen|frontend|backend) )/m;
/** A task is called `<service>.<slot>.<id>`. */
const SERVER = /^ {2}server ([^. ]+)\.[^. ]+\.[^. :]+ [\d.]+:(\d+)(.*)$/gm;
/** As many tasks may be elsewhere by then; an edge may not know of so many that they ended. */
const LEAST_FOUND = 3;
/** The most there is: who was told of and does not answer has 1. */
const FOUND_WEIGHT = 256;
/** The name server that Docker gives every container, which knows the tasks of services. */
const RESOLVERS = `resolvers docker
  nameserver docker 127.0.0.11:53
  resolve_retries 3
  timeout resolve 500ms
  timeout retry 500ms
  hold valid 500ms
  hold nx 1s
`;

/**
 * Has HAProxy find the tasks by itself that Swarm makes while nobody tells it: those of the same services, by Docker's own
 * names. They are asked where none answers that was told, since nobody knows whether they are ready, and long before those
 * that do not answer.
 */
export function withFoundTasks(haproxy: string): string {
  const [head = '', ...sections] = haproxy.split(SECTION);
  const found = sections.map(withFound);
  const isSame = found.every((section, index) => section === sections[index]);
  return isSame ? haproxy : [head, RESOLVERS, '\n', ...found].join('');
}

function withFound(section: string): string {
  const servers = [...section.matchAll(SERVER)].map(
    ([line, service = '', port = '', options = '']) => ({
      line,
      target: `${service}:${port}`,
      service,
      options: options.replace(/ cookie \S+/, ''),
    }),
  );
  const last = servers.at(-1);
  if (last === undefined) return section;
  const templates = [...Map.groupBy(servers, ({ target }) => target)].map(
    ([target, [first, ...others]]) =>
      `  server-template ${first?.service}. ${Math.max(LEAST_FOUND, others.length + 1)} ${target}${first?.options} backup weight ${FOUND_WEIGHT} resolvers docker init-addr none`,
  );
  return section.replace(last.line, () => [last.line, ...templates].join('\n'));
}
