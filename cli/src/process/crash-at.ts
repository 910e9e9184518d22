/** For crash tests: `site:n` kills this process, as a power switch would, when it passes `site` for the n-th time. */
export function crashAt(order: string | undefined): ((site: string) => void) | undefined {
  if (order === undefined) return undefined
  const [site, count] = order.split(':')
  let left = Number(count ?? 1)
  return (passed) => {
    if (passed === site && --left === 0) process.kill(process.pid, 'SIGKILL')
  }
}
