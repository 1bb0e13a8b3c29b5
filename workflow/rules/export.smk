rule export:
    input:
        slide=result("slide.zarr"),
        labels=result("labels.zarr"),
        cells=result("cells.parquet"),
        panel=ancient(panel),
    output:
        csv=result("cells.csv"),
        anndata=result("cells.h5ad"),
        geojson=result("cells.geojson"),
    log:
        result("logs/export.log"),
    benchmark:
        result("logs/export.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part(),
        section=section("export"),
    shell:
        "mifprofile export -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} > {log:q} 2>&1"
