/**
 * Tells somebody. Adapters: notifiers/log, webhook, slack, mail, command. Throws `notification_failed`, which never stops what it tells of.
 */
export interface Notifier {
  /** As the configuration calls it. */
  readonly name: string;
  /** Bounded in time and tries. */
  notify(alert: Alert, options?: { readonly signal?: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

/** What a notifier is there for; as it stands: for all, at once. */
export interface NotifierRule {
  readonly name: string;
  /** Only what is critical. */
  readonly criticalOnly?: boolean;
  /** Only what is open for so long: the second in line. */
  readonly afterMs?: number;
}

export interface Alert {
  /** A new UUID for each one that is sent: receivers drop what they have seen. */
  readonly id: string;
  /** The same for all that is told about one thing. */
  readonly key: string;
  /** `raised` when it is new, `repeated` when it goes on or gets worse, `resolved` when it is over. */
  readonly state: 'raised' | 'repeated' | 'resolved';
  readonly severity: 'warning' | 'critical';
  /** One line. */
  readonly title: string;
  /** What happened to what, and the way out. */
  readonly text: string;
  /** The address of the store or vault it is about, without a password. */
  readonly subject: string;
  /** RFC 3339: when it began, and when this was made. */
  readonly since: string;
  readonly at: string;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
}
