// Gives the reader a file. Characters of its name that some system refuses become '_'.
export function saveCsv(text: string, name: string): void {
  // The mark in front makes spreadsheets read Chinese as UTF-8.
  const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
  Object.assign(document.createElement('a'), {
    href: url,
    download: `${name.replace(/[^\p{L}\p{N}_-]/gu, '_')}.csv`,
  }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
