/**
 * The pages that are written from the code. `npm run docs` writes them; the tidy test fails when one is stale.
 */

export interface GeneratedPage {
  /** From the repository's root. */
  readonly path: string
  readonly render: () => string | Promise<string>
}

export const GENERATED: readonly GeneratedPage[] = []
