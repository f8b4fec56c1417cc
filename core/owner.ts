/** What releases own resources: a deploy entry of a pipeline. `<pipeline>/<entry>`. */
export type OwnerKey = string;

export function ownerKey(pipeline: string, entry: string): OwnerKey {
  return `${pipeline}/${entry}`;
}
