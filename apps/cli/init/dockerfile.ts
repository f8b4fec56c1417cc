/** What the first files need to know of a Dockerfile. */
export interface DockerfileFacts {
  /** The first TCP port that it exposes. */
  port?: number;
  /** A stage that is named as tests usually are. */
  testStage?: string;
}

const TEST_STAGES = ['test', 'tests', 'check'];

export function readDockerfile(text: string): DockerfileFacts {
  const lines = text.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/);
  const stages = lines.flatMap((line) => /^\s*FROM\s.*\sAS\s+(\S+)\s*$/i.exec(line)?.[1] ?? []);
  const ports = lines
    .flatMap((line) => /^\s*EXPOSE\s+(.*)$/i.exec(line)?.[1]?.trim().split(/\s+/) ?? [])
    .flatMap((word) => /^(\d+)(\/tcp)?$/i.exec(word)?.[1] ?? [])
    .map(Number)
    .filter((port) => port >= 1 && port <= 65_535);
  const [port] = ports;
  const testStage = stages.find((stage) => TEST_STAGES.includes(stage.toLowerCase()));
  return {
    ...(port === undefined ? {} : { port }),
    ...(testStage === undefined ? {} : { testStage }),
  };
}
