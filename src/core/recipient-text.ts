/** A recipient as it is shown; a hybrid one has two thousand letters. */
export function shortenRecipient(recipient: string): string {
  return recipient.length <= 80 ? recipient : `${recipient.slice(0, 24)}…${recipient.slice(-8)}`;
}
