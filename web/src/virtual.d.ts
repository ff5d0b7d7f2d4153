// What the build's own plugins provide.

declare module 'virtual:emoji-data' {
  /** Groups of [emoji, name, search words]. */
  const groups: [string, string, string][][];
  export default groups;
}
