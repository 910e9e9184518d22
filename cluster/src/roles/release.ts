import manifest from '../../package.json' with { type: 'json' }

/** Of this O3, as processes of a cluster tell each other. */
export const release: string = manifest.version
