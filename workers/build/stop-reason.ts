/** Why a build was ended from outside. The signal's reason. */
export type StopCause =
  /** Somebody asked for it. */
  | 'cancelled'
  /** The run has an end already: a newer one took over, or another worker ended it. */
  | 'ended'
  /** It took longer than the pipeline allows. */
  | 'deadline'
  /** This worker ends, or has lost the job: another one goes on. */
  | 'released';

export class BuildStopped extends Error {
  override readonly name = 'BuildStopped';
  readonly why: StopCause;

  constructor(why: StopCause) {
    super(`the build was stopped: ${why}`);
    this.why = why;
  }
}
