// Runs an operation of the client and turns its failure into a toast.

import { RequestError } from '../client/interface';
import { strings } from '../strings';
import { toast } from './toasts.svelte';

export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : '';
  if (text === '') return strings.errors.generic;
  return text[0]?.toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

/** Whether it worked. */
export async function attempt(operation: Promise<unknown>): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    toast(errorText(error), 'failed');
    return false;
  }
}

/** The field that a refusal is about, if it names one. */
export function fieldOf(error: unknown): string | undefined {
  return error instanceof RequestError ? error.field : undefined;
}
