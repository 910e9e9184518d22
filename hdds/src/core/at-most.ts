/**
 * So many entries of an `LRUCache`, as sizes of one: it grows with what it holds. With `max` it takes the room of all of them
 * at once, in every process, though few come near.
 */
export const atMost = (entries: number): { readonly maxSize: number; readonly sizeCalculation: () => number } => ({
  maxSize: entries,
  sizeCalculation: () => 1,
})
