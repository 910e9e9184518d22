/**
 * The pages that are written from the code. `npm run docs` writes them; the tidy test fails when one is stale.
 */

import { nodeConfigSchema } from '../../cluster/src/node-config.ts'
import { configReference } from '../../common/src/config/config.ts'
import { compatibilityPage } from '../../plugins/s3/src/router/compatibility-page.ts'
import { errorsPage } from './errors-page.ts'
import { metricsPage } from './metrics-page.ts'

export interface GeneratedPage {
  /** From the repository's root. */
  readonly path: string
  readonly render: () => string | Promise<string>
}

export const GENERATED: readonly GeneratedPage[] = [
  { path: 'docs/reference/configuration.md', render: () => configReference(nodeConfigSchema) },
  { path: 'docs/reference/errors.md', render: errorsPage },
  { path: 'docs/reference/metrics.md', render: metricsPage },
  { path: 'docs/reference/s3-compatibility.md', render: compatibilityPage },
]
