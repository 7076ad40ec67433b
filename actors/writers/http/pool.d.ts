// undici's pool alone: the package's front door also loads fetch, caches and web sockets, which costs a writer's thread a tenth of a second of CPU.
declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici'
  export default Pool
}
