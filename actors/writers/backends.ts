// Every backend type by its name in the configuration.
import type { BackendOptions } from '../../protocol/config/backends.js'
import { createArchive } from './archive.js'
import { createElasticsearch, elasticsearchKernelBytes } from './elasticsearch.js'
import { createLoki, lokiKernelBytes } from './loki.js'
import type { Backend, BackendContext, Batch } from './writer.js'

/** Kernel memory that the backend's encoder takes. */
export function kernelBytesOf(options: BackendOptions): number {
  switch (options.type) {
    case 'elasticsearch':
      return elasticsearchKernelBytes(options)
    case 'loki':
      return lokiKernelBytes(options)
    case 'archive':
      return 0
  }
}

/** A backend only ever gets back the batches that it offered itself, so that their type may be forgotten here. */
export function createBackend(options: BackendOptions, context: BackendContext<Batch>): Backend<Batch> {
  switch (options.type) {
    case 'elasticsearch':
      return createElasticsearch(context, options) as Backend<Batch>
    case 'loki':
      return createLoki(context, options) as Backend<Batch>
    case 'archive':
      return createArchive(context, options) as Backend<Batch>
  }
}
