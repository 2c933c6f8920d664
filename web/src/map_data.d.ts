// Made by map_data.mjs when the pages are built.
declare module 'map-data' {
  export const width: number;
  export const height: number;
  export const provinces: [
    id: string,
    name: string,
    path: string,
    box: [number, number, number, number],
  ][];
  export const counties: [code: string, name: string, x: number, y: number][];
}
