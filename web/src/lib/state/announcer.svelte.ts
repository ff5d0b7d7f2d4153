// What a screen reader is told, apart from the log, so that paging in history stays silent.

export const announcer = $state({ text: '' });

export function announce(text: string): void {
  // The same words twice are a change only if the text differs.
  announcer.text = announcer.text === text ? `${text}\u00a0` : text;
}
