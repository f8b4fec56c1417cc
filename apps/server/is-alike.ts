/** Whether two messages tell of the same trouble. Their numbers aside: ports and times differ each time. */
export function isAlike(one: string, other: string): boolean {
  return one.replace(/\d+/g, '0') === other.replace(/\d+/g, '0');
}
