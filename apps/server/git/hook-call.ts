/** Of the git process that serves a push, and so of its hooks: a channel to this server. */
export const HOOK_DESCRIPTOR = 3;

/** Who pushes where, as the request told. */
export interface PushRequest {
  repository: string;
  /** Under which whoever pushes knows the server. */
  url: string;
  who: string;
}

/** What a git hook asks the server. */
export interface HookCall extends PushRequest {
  phase: 'pre-receive' | 'post-receive';
  updates: RefUpdate[];
  pushOptions: string[];
  /** Folder in which git keeps the objects of a push that is not accepted yet. */
  objects?: string;
}

interface RefUpdate {
  before: string;
  after: string;
  ref: string;
}

/** Feeds on the lines of a channel; answers a call when its last line has come. */
export function createCallReader(request: PushRequest): (line: string) => HookCall | undefined {
  let call: HookCall | undefined;
  return (line) => {
    if (call === undefined) {
      if (line !== 'pre-receive' && line !== 'post-receive')
        throw new Error(`${JSON.stringify(line)} is not what a hook says first`);
      call = { ...request, phase: line, updates: [], pushOptions: [] };
      return undefined;
    }
    const space = line.indexOf(' ');
    const rest = line.slice(space + 1);
    switch (space === -1 ? line : line.slice(0, space)) {
      case 'objects':
        call.objects = rest;
        return undefined;
      case 'option':
        call.pushOptions.push(rest);
        return undefined;
      case 'update':
        call.updates.push(parseUpdate(rest));
        return undefined;
      case 'end': {
        const whole = call;
        call = undefined;
        return whole;
      }
      default:
        throw new Error(`${JSON.stringify(line)} is not what a hook says`);
    }
  };
}

function parseUpdate(text: string): RefUpdate {
  const [before = '', after = '', ...ref] = text.split(' ');
  return { before, after, ref: ref.join(' ') };
}
