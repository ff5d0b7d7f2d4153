// Makes a <dialog> modal while it is in the page, closes it by Esc or a click beside it, and gives
// the focus back to what had it before.

import type { Attachment } from 'svelte/attachments';

export function modal(close: () => void): Attachment<HTMLDialogElement> {
  return (dialog) => {
    const before = document.activeElement;
    const cancel = (event: Event) => {
      event.preventDefault();
      close();
    };
    let pressedOutside = false;
    const press = (event: PointerEvent) => {
      pressedOutside = event.target === dialog && isOutside(dialog, event);
    };
    const click = (event: MouseEvent) => {
      if (pressedOutside && event.target === dialog && isOutside(dialog, event)) close();
    };
    dialog.addEventListener('cancel', cancel);
    dialog.addEventListener('pointerdown', press);
    dialog.addEventListener('click', click);
    dialog.showModal();
    return () => {
      dialog.removeEventListener('cancel', cancel);
      dialog.removeEventListener('pointerdown', press);
      dialog.removeEventListener('click', click);
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  };
}

function isOutside(dialog: HTMLElement, event: MouseEvent): boolean {
  const box = dialog.getBoundingClientRect();
  const { clientX: x, clientY: y } = event;
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}
