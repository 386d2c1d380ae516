import { html } from 'hono/html';
import type { Html, Visit } from '../route.ts';

export interface ActionParts {
  readonly visit: Pick<Visit, 'formToken'>;
  /** Address that it is sent to. */
  readonly action: string;
  readonly button: string;
  readonly fields?: Html;
  readonly isDangerous?: boolean;
  /** For screen readers, where several buttons say the same; begins with what the button says. */
  readonly label?: string;
}

/** A button that does something, with the fields that it needs. */
export function actionForm({
  visit,
  action,
  button,
  fields,
  isDangerous = false,
  label = button,
}: ActionParts): Html {
  return html`<form class="action" method="post" action="${action}"><input type="hidden" name="form_token" value="${visit.formToken}" />${fields ?? ''}<button type="submit" class="${isDangerous ? 'danger' : ''}" aria-label="${label}">${button}</button></form>`;
}
