// The states that stand in place of the messages.

export { default as ListEmpty } from './ListEmpty.svelte';
export { default as ListError } from './ListError.svelte';
export { default as Skeletons } from './Skeletons.svelte';
