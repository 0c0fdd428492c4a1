/** For comparing without regard to case. Text may be folded in pieces: the one letter that looks at its neighbours is evened out. */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return lower.includes('ς') ? lower.replaceAll('ς', 'σ') : lower;
}
