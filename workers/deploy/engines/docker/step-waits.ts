/** A step can be done as soon as what it waits for is here, which rings for the next pass by itself. */
export class StepWaits extends Error {
  override name = 'StepWaits';
}
