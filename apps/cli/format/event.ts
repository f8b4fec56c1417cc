import type { EventLine } from '#core/api/event.ts';
import { displayKey, displayText } from '#core/present/display.ts';
import type { Paint } from './colour.ts';

/** `2026-11-23 12:03:04Z shop/here Deployment/default/web Restarted container web, …` */
export function eventLine(
  event: EventLine & { cluster: string },
  { paint, many }: { paint: Paint; many: boolean },
): string {
  const { at, cluster, owner, resource, pod, reason, type, message } = event;
  const about = [
    ...(many ? [cluster] : []),
    ...(owner === undefined ? [] : [displayText(owner)]),
    ...(resource === undefined ? [] : [displayKey(resource)]),
    ...(pod === undefined ? [] : [displayText(pod)]),
  ];
  const time = new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
  const what = paint(type === 'Warning' ? 'yellow' : 'green', displayText(reason));
  return [paint('dim', time), ...about, what, displayText(message)].join(' ').trimEnd();
}
