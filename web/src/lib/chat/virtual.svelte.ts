// A virtual list held at its end: only the rows in view are in the page, and neither rows that
// come before nor rows that come after move what is being read.

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from '@tanstack/virtual-core';
import { flushSync } from 'svelte';
import type { Attachment } from 'svelte/attachments';
import type { Row } from '../state/rows';

/** Less than this below the view counts as being at the end. */
export const END_PX = 48;
const OVERSCAN = 6;
const PADDING = 16;
/** How long a scroll is helped to arrive, in frames. */
const FRAMES_MAX = 20;

export class VirtualList {
  #version = $state(0);
  #scroller: HTMLElement | undefined;
  #rows: readonly Row[] = [];
  #follows = true;
  /** Inside Svelte's own update the change is taken along; a second flush within would not be. */
  #attaching = false;
  readonly #core: Virtualizer<HTMLElement, HTMLElement>;

  constructor() {
    this.#core = new Virtualizer(this.#options());
  }

  #options() {
    const rows = this.#rows;
    return {
      count: rows.length,
      getScrollElement: () => this.#scroller ?? null,
      estimateSize: (at: number) => estimate(rows[at]),
      getItemKey: (at: number) => rows[at]?.key ?? at,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      overscan: OVERSCAN,
      anchorTo: 'end' as const,
      followOnAppend: this.#follows,
      scrollEndThreshold: END_PX,
      paddingStart: PADDING,
      paddingEnd: PADDING,
      onChange: (_: unknown, sync: boolean) => {
        this.#version += 1;
        if (sync && !this.#attaching) flushSync();
      },
    };
  }

  /**
   * What to draw for `rows`, whose end is followed as rows are appended if that `follows`. Call it
   * in a `$derived`: it also changes with scrolling.
   */
  layout(rows: readonly Row[], follows: boolean): { items: VirtualItem[]; total: number } {
    void this.#version;
    if (rows !== this.#rows) {
      // A page that ends where it was asked for appends nothing new: it is not to be run after.
      const followed = this.#follows;
      this.#rows = rows;
      this.#follows = follows && followed;
      this.#core.setOptions(this.#options());
      this.#follows = follows;
    }
    return { items: this.#core.getVirtualItems(), total: this.#core.getTotalSize() };
  }

  /** On the element that scrolls. */
  scroller: Attachment<HTMLElement> = (element) => {
    this.#scroller = element;
    this.#core._willUpdate();
    const unmount = this.#core._didMount();
    return () => {
      unmount();
      this.#scroller = undefined;
    };
  };

  /** On every row, which carries `data-index`. */
  measure: Attachment<HTMLElement> = (element) => {
    this.#attaching = true;
    this.#core.measureElement(element);
    this.#attaching = false;
    return () => this.#core.measureElement(null);
  };

  /** Call it after rows were drawn. */
  drawn(): void {
    this.#attaching = true;
    this.#core._willUpdate();
    this.#attaching = false;
  }

  /** Shows the end, once the rows there are measured. */
  toEnd(): Promise<void> {
    return this.#reach(
      () => this.#core.scrollToEnd(),
      (element) => element.scrollTop + element.clientHeight >= element.scrollHeight - 1,
    );
  }

  /** Shows a row this share of the view below its top, once it and those above are measured. */
  toRowBelow(at: number, share: number): Promise<void> {
    const wanted = (element: HTMLElement) => {
      const start = this.#core.getOffsetForIndex(at, 'start')?.[0] ?? 0;
      const most = element.scrollHeight - element.clientHeight;
      return Math.max(0, Math.min(start - share * element.clientHeight, most));
    };
    return this.#reach(
      (element) => this.#core.scrollToOffset(wanted(element)),
      (element) => Math.abs(element.scrollTop - wanted(element)) <= 1,
    );
  }

  /** Shows a row in the middle, once it and those around it are measured. */
  toRow(at: number): Promise<void> {
    return this.#reach(
      () => this.#core.scrollToIndex(at, { align: 'center' }),
      (element) => {
        const wanted = this.#core.getOffsetForIndex(at, 'center')?.[0] ?? 0;
        return Math.abs(element.scrollTop - wanted) <= 1;
      },
    );
  }

  /** Scrolls until it is there in two frames running: rows are measured on the way. */
  async #reach(
    scroll: (element: HTMLElement) => void,
    isThere: (element: HTMLElement) => boolean,
  ): Promise<void> {
    let calm = 0;
    for (let frame = 0; frame < FRAMES_MAX && calm < 2; frame += 1) {
      if (this.#scroller === undefined) return;
      if (calm === 0) scroll(this.#scroller);
      await new Promise(requestAnimationFrame);
      calm = this.#scroller !== undefined && isThere(this.#scroller) ? calm + 1 : 0;
    }
  }

  // What is in view is read off the element: where everything fits, the core's own offset may be
  // off by what it meant to scroll and could not.

  get atEnd(): boolean {
    const element = this.#scroller;
    if (element === undefined) return true;
    return element.scrollHeight - element.clientHeight - element.scrollTop < END_PX;
  }

  /** The rows in view: the first that is partly visible, and the last whose end is. */
  visible(): { first: number; last: number } {
    const offset = this.#scroller?.scrollTop ?? 0;
    const height = this.#scroller?.clientHeight ?? 0;
    const items = this.#core.getVirtualItems();
    const first = items.find((item) => item.end > offset)?.index ?? 0;
    // A row that is taller than the view is seen when it fills it.
    const seen = items.filter((item) => item.end <= offset + height + 1 || item.start <= offset);
    return { first, last: seen.at(-1)?.index ?? -1 };
  }

  /** How far the start of row `at` is below the top of the view. */
  top(at: number): number {
    const item = this.#core.getVirtualItems().find((one) => one.index === at);
    return (item?.start ?? 0) - (this.#scroller?.scrollTop ?? 0);
  }
}

function estimate(row: Row | undefined): number {
  switch (row?.kind) {
    case 'more':
      return 36;
    case 'day':
      return 48;
    case 'unread':
      return 33;
    default:
      return row?.grouped ? 31 : 59;
  }
}
