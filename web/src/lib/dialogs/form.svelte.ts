// What a dialog with a form has in common: busy while it works, errors at their field.

import { errorText, fieldOf } from '../state/attempt';
import { ui } from '../state/ui.svelte';

export class FormState {
  busy = $state(false);
  /** What is wrong, by field; under the empty name what is wrong as a whole. */
  errors = $state.raw<Record<string, string>>({});

  /** Runs `work`; where it fails, shows why at the field among `fields` that it is about. */
  async run(fields: string[], work: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.errors = {};
    const dialog = ui.dialog;
    try {
      await work();
      if (ui.dialog === dialog) ui.dialog = undefined;
    } catch (error) {
      const field = fieldOf(error) ?? fields[0];
      this.errors = { [field !== undefined && fields.includes(field) ? field : '']: errorText(error) };
      requestAnimationFrame(() => document.querySelector<HTMLElement>('dialog [aria-invalid]')?.focus());
    } finally {
      this.busy = false;
    }
  }
}
