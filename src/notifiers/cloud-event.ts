import type { Alert } from '../core/alert.ts';

/** The alert as an event of CloudEvents 1.0, in its JSON format (structured mode). */
export function cloudEventOf(alert: Alert): Record<string, unknown> {
  const { id, key, state, subject, at } = alert;
  return {
    specversion: '1.0',
    id,
    // A reference to a URI, which an address need not be as it stands.
    source: `eventcore:${encodeURIComponent(subject)}`,
    type: `eventcore.alert.${state}`,
    subject: key,
    time: at,
    datacontenttype: 'application/json',
    data: alert,
  };
}

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8';
