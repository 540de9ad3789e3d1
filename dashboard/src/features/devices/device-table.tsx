import { flexRender, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import type { Device } from "@/api/devices";
import { COLUMNS, columns } from "@/features/devices/columns";
import { deviceLabel } from "@/lib/format";
import { t } from "@/lib/i18n";
import { Checkbox } from "@/ui/field";
import { BODY, Table, Td, Th } from "@/ui/table";

type Selection = Record<string, boolean>;

interface DeviceTableProps {
  devices: Device[];
  shown: string[];
  selected: Selection;
  /** `null` for somebody who can do nothing with a selection. */
  onSelect: ((selection: Selection) => void) | null;
}

const coreRowModel = getCoreRowModel<Device>();

export function DeviceTable({ devices, shown, selected, onSelect }: DeviceTableProps) {
  const table = useReactTable({
    data: devices,
    columns,
    getCoreRowModel: coreRowModel,
    getRowId: (device) => device.device_id,
    enableRowSelection: onSelect !== null,
    onRowSelectionChange: (update) => onSelect?.(typeof update === "function" ? update(selected) : update),
    state: {
      rowSelection: selected,
      columnVisibility: Object.fromEntries(COLUMNS.map((each) => [each.id, shown.includes(each.id)])),
    },
  });
  return (
    <Table label={t("devices.title")}>
      <thead>
        {table.getHeaderGroups().map((group) => (
          <tr key={group.id}>
            {onSelect !== null && (
              <Th className="w-8">
                <Checkbox
                  aria-label={t("list.selectAll")}
                  checked={table.getIsAllRowsSelected()}
                  ref={(box) => {
                    if (box !== null) box.indeterminate = table.getIsSomeRowsSelected();
                  }}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </Th>
            )}
            {group.headers.map((header) => (
              <Th key={header.id}>{flexRender(header.column.columnDef.header, header.getContext())}</Th>
            ))}
          </tr>
        ))}
      </thead>
      <tbody className={BODY}>
        {table.getRowModel().rows.map((row) => (
          <tr key={row.id} className={row.getIsSelected() ? "bg-accent-soft/60" : ""}>
            {onSelect !== null && (
              <Td>
                <Checkbox
                  aria-label={t("list.select", { name: deviceLabel(row.original) })}
                  checked={row.getIsSelected()}
                  onChange={row.getToggleSelectedHandler()}
                />
              </Td>
            )}
            {row.getVisibleCells().map((cell) => (
              <Td key={cell.id}>{flexRender(cell.column.columnDef.cell, cell.getContext())}</Td>
            ))}
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
